import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reply } from '../peers/reply.ts'
import { firstLine, freePort, has, scratch, start, stop } from './child.ts'
import { ready } from './ready.ts'

/** Where all upstream calls of a measurement go. */
export interface Origin {
  readonly what: string
  readonly url: string
  stop(): Promise<void>
}

/**
 * Starts nginx where it is installed, else a small server on node:http, which is slower and may be what limits. One
 * that takes its time needs nginx's Lua module.
 */
export function startOrigin(delayMs = 0): Promise<Origin> {
  return has('nginx') && (delayMs === 0 || luaLacks() === undefined) ? startNginx(delayMs) : startNode(delayMs)
}

const modules = ['ndk_http_module', 'ngx_http_lua_module'].map((name) => `/usr/lib/nginx/modules/${name}.so`)

/** What an nginx needs that runs Lua. */
export const luaModules = modules.map((file) => `load_module ${file};`).join('\n')

/** Why there is no nginx with Lua here; undefined where there is. */
export function luaLacks(): string | undefined {
  if (!has('nginx')) return 'no nginx on PATH'
  return modules.every((file) => existsSync(file)) ? undefined : 'nginx has no Lua module (libnginx-mod-http-lua)'
}

async function startNginx(delayMs: number): Promise<Origin> {
  const folder = scratch()
  const port = await freePort()
  const late = `content_by_lua_block { ngx.sleep(${delayMs / 1000}) ngx.header.content_length = ${reply.length} ngx.print('${reply}') }`
  const answer = delayMs === 0 ? `return 200 '${reply}';` : late
  const nginx = {
    before: delayMs === 0 ? '' : luaModules,
    server: `listen 127.0.0.1:${port} backlog=2048; location / { ${answer} }`,
  }
  writeFileSync(join(folder, 'nginx.conf'), nginxConf(folder, nginx))
  const child = start('others', ['nginx', '-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const url = `http://127.0.0.1:${port}`
  await ready(`${url}/a1`, child)
  return { what: 'nginx, one process', url, stop: () => stop(child) }
}

/** What an nginx is to do, but for what all of ours have in common. */
export interface Nginx {
  readonly before?: string
  readonly http?: string
  readonly server: string
}

/** One process in the foreground (no master), so that the pid that was started is the one that serves. */
export function nginxConf(folder: string, { before = '', http = '', server }: Nginx): string {
  return `${before}
daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; default_type application/json;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  ${http}
  server { ${server} }
}`
}

async function startNode(delayMs: number): Promise<Origin> {
  const file = join(import.meta.dirname, '../peers/origin.ts')
  const env = { ...process.env, DELAY_MS: String(delayMs) }
  const child = start('others', [process.execPath, file], { stdio: ['pipe', 'pipe', 'inherit'], env })
  return { what: 'node:http (no nginx here)', url: await firstLine(child), stop: () => stop(child) }
}
