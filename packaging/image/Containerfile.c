# An application in C: built in one stage, served in the next by the small image (`make image`):
#   buildah build -f Containerfile.c --build-arg VERSION=… .      the version is the tag of that image
ARG VERSION
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make
COPY . /src
RUN make -C /src

FROM nsgi-server:${VERSION}
COPY --from=build /src/my_app.so /app/my_app.so
CMD ["--app", "/app/my_app.so", "--http-socket", ":8080"]
