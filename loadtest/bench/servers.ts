import { has } from './child.ts'
import { luaLacks, luaModules, nginxConf } from './origin.ts'

/** A server that does the same as the gateway by a configuration of its own. */
export interface Configured {
  /** Why it cannot be started here; undefined when it can. */
  lacking(): string | undefined
  /** Where in its folder its configuration lies, and what it says. */
  readonly file: string
  config(given: Given): string
  /** The command that starts it in its folder. */
  command(folder: string): readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** What a configuration is made of. */
export interface Given {
  readonly origin: string
  readonly fanout: number
  readonly port: number
  readonly folder: string
}

const krakend = {
  lacking: () => (has('krakend') ? undefined : 'no krakend on PATH'),
  file: 'krakend.json',
  config: krakendConfig,
  command: () => ['krakend', 'run', '--config', 'krakend.json'],
}

/** The peers that are configured, not written. */
export const servers = {
  'nginx-lua': {
    lacking: luaLacks,
    file: 'nginx.conf',
    config: nginxLuaConf,
    command: (folder: string) => ['nginx', '-p', folder, '-c', 'nginx.conf', '-e', 'stderr'],
  },
  krakend: { ...krakend, env: { GOMAXPROCS: '1' } },
  'krakend-2': { ...krakend, env: { GOMAXPROCS: '2' } },
} as const satisfies Record<string, Configured>

/** Calls at once by `capture_multi`, and the bodies put together as they came. */
export function nginxLuaConf({ origin, fanout, port, folder }: Given): string {
  const names = Array.from({ length: fanout }, (_, index) => `a${index + 1}`)
  const calls = names.map((name) => `{ "/up/${name}" }`).join(', ')
  return nginxConf(folder, {
    before: luaModules,
    http: `upstream origin { server ${new URL(origin).host}; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 1h; }`,
    server: `
    listen 127.0.0.1:${port} backlog=2048;
    location /up/ {
      internal;
      proxy_pass http://origin/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_pass_request_headers off;
    }
    location = /fan/${fanout} {
      content_by_lua_block {
        local names = { ${names.map((name) => `'"${name}":'`).join(', ')} }
        local replies = { ngx.location.capture_multi({ ${calls} }) }
        local parts = {}
        for i, reply in ipairs(replies) do
          if reply.status ~= 200 or reply.truncated then return ngx.exit(502) end
          parts[i] = names[i] .. reply.body
        end
        local body = "{" .. table.concat(parts, ",") .. "}"
        ngx.header.content_length = #body
        ngx.print(body)
      }
    }`,
  })
}

/** One backend for each call, each under a name of its own. */
export function krakendConfig({ origin, fanout, port }: Given): string {
  const backend = Array.from({ length: fanout }, (_, index) => ({
    url_pattern: `/a${index + 1}`,
    host: [origin],
    group: `a${index + 1}`,
  }))
  return JSON.stringify({
    version: 3,
    port,
    listen_ip: '127.0.0.1',
    timeout: '10s',
    max_idle_connections: 0,
    max_idle_connections_per_host: 128,
    idle_connection_timeout: '1h',
    extra_config: {
      router: { disable_access_log: true },
      'telemetry/logging': { level: 'ERROR', stdout: false, syslog: false },
    },
    endpoints: [{ endpoint: `/fan/${fanout}`, output_encoding: 'json', backend }],
  })
}
