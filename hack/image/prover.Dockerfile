# The prover: the same binary with git, which fetches and verifies. It runs without privileges and writes
# to its volume and /tmp alone.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG TARGETOS TARGETARCH VERSION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN mkdir /licenses && cp LICENSE /licenses/fairway.txt && (cd hack/licenses && go run . -texts) > /licenses/third-party.txt
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH hack/release/binary.sh "$VERSION" /fairway

# git 2.44 or newer, for GIT_NO_LAZY_FETCH. ssh runs for nobody whom /etc/passwd does not name.
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends git openssh-client ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && echo 'fairway:x:65532:' >> /etc/group \
    && echo 'fairway:x:65532:65532::/tmp:/usr/sbin/nologin' >> /etc/passwd
ARG VERSION=unknown
LABEL org.opencontainers.image.title=fairway-prover org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.source=https://github.com/fairway-dev/fairway org.opencontainers.image.licenses=Apache-2.0
COPY --from=build /licenses /licenses
COPY --from=build /fairway /usr/local/bin/fairway
USER 65532:65532
RUN git --version && ssh -V && fairway version
ENTRYPOINT ["/usr/local/bin/fairway"]
