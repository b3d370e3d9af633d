from newsft.inference.ngram import NgramProposer


def test_guess_is_what_followed_the_same_tokens():
    assert NgramProposer([1, 2, 3, 4, 5, 6, 1, 2, 3]).propose(2) == [4, 5]


def test_longer_agreement_wins_over_a_later_place():
    text = [7, 8, 9, 1, 5, 8, 9, 2, 7, 8, 9]
    assert NgramProposer(text).propose(1) == [1]


def test_of_equal_agreements_the_last_place_wins():
    assert NgramProposer([9, 1, 9, 2, 9]).propose(1) == [2]


def test_token_that_is_new_to_the_text_gives_no_guess():
    assert NgramProposer([1, 2, 3]).propose(4) == []
    assert NgramProposer().propose(4) == []


def test_guess_ends_with_the_text():
    assert NgramProposer([1, 2, 1]).propose(9) == [2, 1]


def test_the_text_grows():
    proposer = NgramProposer([1, 2, 3])
    proposer.extend([1, 2])
    assert len(proposer) == 5 and proposer.propose(3) == [3, 1, 2]


def test_what_is_new_to_the_text_is_looked_up_behind_it():
    behind = NgramProposer([5, 6, 7, 8, 1, 2, 9])
    assert NgramProposer([5, 6], behind=behind).propose(2) == [7, 8]
    assert NgramProposer([1, 2, 3, 1, 2], behind=behind).propose(1) == [3]  # of equal agreements the text's own
    assert NgramProposer([6, 4, 5, 6], behind=behind).propose(1) == [7]  # the longer one, wherever it is
    assert len(NgramProposer([5, 6], behind=behind)) == 2
