# The program as an image. Both bases can be named, by digest too, or as what a machine without a registry has:
#
#   docker build --build-arg RECONCILER_COMMIT=$(git rev-parse HEAD) -t restore-reconciler .
#   docker build --build-arg BASE=gcr.io/distroless/cc-debian13 -t restore-reconciler .
ARG BUILDER=rust:1.95-trixie
ARG BASE=debian:trixie-slim

FROM ${BUILDER} AS build
WORKDIR /build
# What tells others what the program is made of, in a layer that changes least.
COPY tests/release tests/
RUN tests/release --tools
# Dependencies are a layer of their own, which is built again only when they change. Empty files stand there for our own
# code.
COPY Cargo.toml Cargo.lock ./
COPY .cargo/config.toml .cargo/
COPY jobs/Cargo.toml jobs/
COPY tests/bench/Cargo.toml tests/bench/
COPY tests/fixtures/Cargo.toml tests/fixtures/
RUN mkdir -p src jobs/src jobs/benches tests/it tests/otlp tests/bench/src tests/bench/tests/it tests/fixtures/src \
    && touch src/lib.rs jobs/src/lib.rs jobs/benches/verdict.rs tests/it/main.rs tests/otlp/main.rs \
        tests/bench/tests/it/main.rs tests/fixtures/src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs >tests/bench/src/main.rs \
    && cargo build --release --locked --package restore-reconciler \
    && cargo clean --release --package restore-reconciler --package reconciler-jobs --package reconciler-fixtures \
    && rm -r src jobs/src tests
COPY . .
# What `--version` says of where it comes from.
ARG RECONCILER_COMMIT
RUN tests/release && strip --strip-all target/release/restore-reconciler

FROM ${BASE}
ARG RECONCILER_COMMIT
LABEL org.opencontainers.image.title="restore-reconciler" \
    org.opencontainers.image.description="Decides whether restores were proven, and if not, what is missing" \
    org.opencontainers.image.revision="${RECONCILER_COMMIT}"
# The roots that TLS trusts. A private authority is added by mounting over this file, or by `sslrootcert` in the URL.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /build/target/release/restore-reconciler /usr/local/bin/restore-reconciler
COPY --from=build /build/target/release/restore-reconciler.cdx.json /build/target/release/THIRD-PARTY-NOTICES.txt \
    /usr/share/doc/restore-reconciler/
# A number, so that a cluster can verify it is not root. It owns no file.
USER 10001:10001
# Probes and metrics of a worker; a console listens where `console.listen` says.
EXPOSE 9646
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["restore-reconciler", "probe", "http://127.0.0.1:9646/livez"]
ENTRYPOINT ["restore-reconciler"]
CMD ["work", "--listen", "0.0.0.0:9646"]
