# The driver's image: one static binary and the certificate authorities that it trusts. There is no shell, no mount
# program, and no user: the node's part needs root, and whoever runs the controller says which other user it has.
#
#   docker build -t war-vol:dev .          builds the binary too, wherever images can be pulled
#   tests/e2e/image.sh                     puts a binary that is there already into `from-binary`, and pulls nothing

FROM scratch AS base
LABEL org.opencontainers.image.title="war-vol" org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/usr/local/bin
# By itself the C library's allocator has eight arenas for each processor, and keeps in each what hundreds of volumes needed
# at the same time: several times the memory of the volumes.
ENV MALLOC_ARENA_MAX=2
ENTRYPOINT ["war-vol"]

# It comes before the stage that pulls: a builder without BuildKit runs all stages up to the one it was asked for. So it
# passes here on the way to the last one, too, where its files are not there and Cargo.toml is: a pattern may match none.
FROM base AS from-binary
COPY ca-certificates.cr[t] Cargo.tom[l] /etc/ssl/certs/
COPY war-vol.cdx.jso[n] LICENS[E] Cargo.tom[l] /usr/share/doc/war-vol/
COPY war-vo[l] Cargo.tom[l] /usr/local/bin/

FROM rust:1.95.0-bookworm AS build
# What rust-toolchain.toml asks for besides the compiler is for those who work on the code.
ENV RUSTUP_TOOLCHAIN=1.95.0
# In step with tests/tools.sh: the one puts the list of its crates into the program, the other lists them beside it.
RUN cargo install --locked cargo-auditable --version 0.7.7 \
    && cargo install --locked cargo-cyclonedx --version 0.5.9
WORKDIR /src
COPY . .
# A target of its own, so that the flags do not reach the build scripts. The platform is the builder's own: for another
# one `docker buildx build --platform` runs all of this there, or emulates it.
RUN host="$(rustc -vV | sed -n 's/^host: //p')" \
    && RUSTFLAGS='-C target-feature=+crt-static' \
        cargo auditable build --locked --release --bin war-vol --target "$host" \
    && install "target/$host/release/war-vol" /war-vol \
    && cargo cyclonedx -qq --format json --spec-version 1.5 --no-build-deps --target "$host" \
        --override-filename war-vol.cdx

FROM base
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/war-vol.cdx.json /src/LICENSE /usr/share/doc/war-vol/
COPY --from=build /war-vol /usr/local/bin/
