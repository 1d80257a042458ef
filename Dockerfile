# PyTorch's default build, with CUDA's libraries, about 6 GB:
#   docker build -t resexp .
# Its build for CPUs, about 2 GB, from the address that https://pytorch.org/get-started/locally/ shows for "CPU":
#   docker build -t resexp --build-arg TORCH_INDEX=ADDRESS .
# Then, with results in the current folder:
#   docker run --rm -v "$PWD:/work" resexp demo
FROM python:3.12-slim
ARG TORCH_INDEX=
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY resexp resexp
RUN if [ -n "$TORCH_INDEX" ]; then pip install --no-cache-dir torch torchvision --index-url "$TORCH_INDEX"; fi \
    && pip install --no-cache-dir .
WORKDIR /work
ENTRYPOINT ["resexp"]
