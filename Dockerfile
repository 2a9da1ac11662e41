FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
# What `--version` says of where it comes from: --build-arg RECONCILER_COMMIT=$(git rev-parse HEAD)
ARG RECONCILER_COMMIT
RUN cargo build --release --locked --package restore-reconciler

FROM debian:bookworm-slim
# The roots that TLS trusts. A private authority is added by mounting over this file, or by `sslrootcert` in the URL.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/release/restore-reconciler /usr/local/bin/restore-reconciler
# A number, so that a cluster can verify it is not root. It owns no file.
USER 10001:10001
ENTRYPOINT ["restore-reconciler"]
