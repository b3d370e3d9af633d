from newsft.inference.ngram import Lookup


def test_guess_is_what_followed_the_same_tokens():
    assert Lookup([1, 2, 3, 4, 5, 6, 1, 2, 3]).guess(2) == [4, 5]


def test_longer_agreement_wins_over_a_later_place():
    text = [7, 8, 9, 1, 5, 8, 9, 2, 7, 8, 9]
    assert Lookup(text).guess(1) == [1]


def test_of_equal_agreements_the_last_place_wins():
    assert Lookup([9, 1, 9, 2, 9]).guess(1) == [2]


def test_token_that_is_new_to_the_text_gives_no_guess():
    assert Lookup([1, 2, 3]).guess(4) == []
    assert Lookup().guess(4) == []


def test_guess_ends_with_the_text():
    assert Lookup([1, 2, 1]).guess(9) == [2, 1]


def test_the_text_grows():
    lookup = Lookup([1, 2, 3])
    lookup.extend([1, 2])
    assert len(lookup) == 5 and lookup.guess(3) == [3, 1, 2]


def test_what_is_new_to_the_text_is_looked_up_behind_it():
    behind = Lookup([5, 6, 7, 8, 1, 2, 9])
    assert Lookup([5, 6], behind=behind).guess(2) == [7, 8]
    assert Lookup([1, 2, 3, 1, 2], behind=behind).guess(1) == [3]  # of equal agreements the text's own
    assert Lookup([6, 4, 5, 6], behind=behind).guess(1) == [7]  # the longer one, wherever it is
    assert len(Lookup([5, 6], behind=behind)) == 2
