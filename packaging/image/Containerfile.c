# An application in C, as `nsgi-server new my_app --language c` writes it: built in one stage, served in the next by
# the small image (`make image`). In its folder:
#   buildah build -f Containerfile.c --build-arg VERSION=… -t my_app .      the version is the tag of that image
ARG VERSION
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make
COPY . /src
RUN make -C /src

FROM nsgi-server:${VERSION}
COPY --from=build /src/my_app.so /app/my_app.so
CMD ["--app", "/app/my_app.so", "--http-socket", ":8080"]
