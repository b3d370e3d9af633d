# The page for any host that runs containers:
#   docker build -t newsft .  &&  docker run --rm -p 7860:7860 newsft
# With a GPU: docker build --build-arg TORCH_INDEX=https://pypi.org/simple, then docker run --gpus all with NEWSFT_MODEL and NEWSFT_ADAPTER.
FROM python:3.11-slim

# A CPU build of torch takes a tenth of the space of the CUDA build that the package index has for Linux.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Before the code, so that a change of the code does not install everything again.
WORKDIR /app
COPY requirements.txt ./
RUN pip install --index-url "$TORCH_INDEX" "$(grep '^torch==' requirements.txt)" && pip install -r requirements.txt

# The code belongs to root: the page's user can read it and change nothing.
COPY app.py train.py README.md LICENSE ./
COPY newsft ./newsft
COPY assets ./assets
RUN useradd --create-home --uid 1000 newsft
USER newsft

ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860
EXPOSE 7860
# An 8B model may take minutes to load.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10m CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860', timeout=5)"]
CMD ["python", "app.py"]
