import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Launch } from "../programs.ts";

/** Messages that Nchan keeps for who is behind; as many as Foyer tells before it begins anew. */
const BUFFER = 500;

/**
 * Nchan in nginx, as its makers would run it on one core: one worker, as Foyer has one; messages in shared memory.
 * Publish with POST /pub, listen with GET /sub.
 * @param openFiles how many a process may have open
 */
export async function nchan(port: number, openFiles: number): Promise<Launch> {
  const folder = await mkdtemp(join(tmpdir(), "foyer-nchan-"));
  await Bun.write(join(folder, "nginx.conf"), configuration(port, openFiles));
  return {
    name: "Nchan",
    // biome-ignore format: as on a command line
    command: ["/usr/sbin/nginx", "-p", folder, "-c", "nginx.conf", "-e", "stderr", "-g", "daemon off;"],
    cwd: folder,
    readyPath: "/health/ready",
    port,
  };
}

const configuration = (port: number, openFiles: number): string => `
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
${process.getuid?.() === 0 ? "user root; # the folder is root's" : ""}
worker_processes 1;
worker_rlimit_nofile ${openFiles};
pid nginx.pid;
error_log stderr error;
events {
  worker_connections ${openFiles};
}
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  nchan_shared_memory_size 256M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /health/ready {
      return 200;
    }
    location = /pub {
      nchan_publisher http;
      nchan_channel_id room;
      nchan_message_buffer_length ${BUFFER};
      nchan_message_timeout 60s;
    }
    location = /sub {
      nchan_subscriber eventsource;
      nchan_channel_id room;
      nchan_subscriber_first_message newest;
      nchan_eventsource_ping_interval 15;
    }
  }
}
`;
