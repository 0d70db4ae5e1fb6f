# The prover: the same binary with git, which fetches and verifies. It runs without privileges and writes
# to its volume and /tmp alone.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG TARGETOS TARGETARCH VERSION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH hack/release/binary.sh "$VERSION" /fairway

# git 2.44 or newer, for GIT_NO_LAZY_FETCH.
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends git openssh-client ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /fairway /usr/local/bin/fairway
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/fairway"]
