# The gate: one static binary, no shell, no git, nothing to run but itself.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG TARGETOS TARGETARCH VERSION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN mkdir /licenses && cp LICENSE /licenses/fairway.txt && (cd hack/licenses && go run . -texts) > /licenses/third-party.txt
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH hack/release/binary.sh "$VERSION" /fairway

FROM gcr.io/distroless/static-debian12:nonroot
ARG VERSION=unknown
LABEL org.opencontainers.image.title=fairway-gate org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.source=https://github.com/fairway-dev/fairway org.opencontainers.image.licenses=Apache-2.0
COPY --from=build /licenses /licenses
COPY --from=build /fairway /fairway
USER 65532:65532
ENTRYPOINT ["/fairway"]
