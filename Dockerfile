# The image of relud: `docker build -t relud .`, then `docker run --rm -p 8080:8080 relud`.
#
# The last stage starts from nothing. It holds the binary, the shared libraries that ldd finds for it
# with the dynamic loader, and the example models; no shell, no package manager. Every option of
# `relud serve` is an environment variable: RELUD_PORT for --port. Own models are mounted over /models.

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY Makefile ./
COPY tests/deps.sh tests/
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends make && make deps-build

COPY core core
COPY server server
RUN make -j"$(nproc)" all BUILD=/build

# /image is the root of the last stage; whoever runs it must be able to read it, whatever the umask was.
COPY models /image/models
RUN install -D -s /build/relud /image/usr/bin/relud \
 && ldd /build/relud | grep -o '/[^ ]*' | xargs cp --dereference --parents --target-directory=/image \
 && chmod -R u=rwX,go=rX /image

FROM scratch
LABEL org.opencontainers.image.title="relud" \
      org.opencontainers.image.description="Inference daemon that knows which of its neurons are alive" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
ENV RELUD_HOST=0.0.0.0 RELUD_MODEL_DIR=/models
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/usr/bin/relud", "healthcheck"]
ENTRYPOINT ["/usr/bin/relud"]
CMD ["serve"]
