"""An adapter on the hub: pushed with the login that huggingface_hub finds, or the command that pushes it later.

The token stays with huggingface_hub (HF_TOKEN, or `hf auth login`): it is no setting, so that no file of a run can hold it.
"""

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
from huggingface_hub.utils import validate_repo_id

from newsft.compat import hub_http_error
from newsft.errors import UserError
from newsft.publish.licences import Licence

# Checkpoints are several times the adapter's size; TensorBoard's logs and the trainer's pickled arguments hold the machine's name and its paths.
# All of them are nobody's but the run's.
LEFT_OUT = ("checkpoint-*", "runs/*", "training_args.bin")


def check_name(name: str, licence: Licence) -> None:
    """Raise UserError for a name that the hub or the base model's licence does not allow; to be asked before the training."""
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(
            f"--push-to-hub {name} is no name for a repository ({str(error).split(chr(10))[0]}); give one such as owner/name."
        ) from error
    own = name.rpartition("/")[2]
    if licence.llama and not own.lower().startswith("llama"):
        raise UserError(
            f"--push-to-hub {name}: the base model's licence wants names that begin with Llama; give one such as {name.removesuffix(own)}Llama-{own}."
        )


def push(folder: Path, name: str) -> str:
    """Upload the adapter's folder without what is the run's alone (`LEFT_OUT`); the page's address. UserError, with the command for later, where that fails."""
    api = HfApi()
    try:
        repository = api.create_repo(name, exist_ok=True)
        api.upload_folder(
            folder_path=folder,
            repo_id=repository.repo_id,
            ignore_patterns=list(LEFT_OUT),
            commit_message="Adapter made with newsft",
        )
    except (OSError, hub_http_error()) as error:  # offline, no route, no login, refused
        login = (
            " Log in with `hf auth login` (or set HF_TOKEN)."
            if isinstance(error, LocalTokenNotFoundError) or _status(error) == 401
            else ""
        )
        raise UserError(
            f"The adapter and its card are in {folder}, but could not be pushed to {name} ({type(error).__name__}).{login} Push them later with: {later(folder, name)}"
        ) from error
    return repository.url


def later(folder: Path, name: str) -> str:
    """The command that uploads what `push` does."""
    return " ".join([f"hf upload {name} {folder} .", *(f'--exclude "{pattern}"' for pattern in LEFT_OUT)])


def _status(error: Exception) -> int | None:
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None
