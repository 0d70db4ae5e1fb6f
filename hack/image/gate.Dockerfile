# The gate: one static binary, no shell, no git, nothing to run but itself.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG TARGETOS TARGETARCH VERSION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH hack/release/binary.sh "$VERSION" /fairway

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /fairway /fairway
USER 65532:65532
ENTRYPOINT ["/fairway"]
