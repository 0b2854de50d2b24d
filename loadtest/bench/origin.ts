import { writeFileSync } from 'node:fs'
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

/** Starts nginx where it is installed, else a small server on node:http, which is slower and may be what limits. */
export function startOrigin(): Promise<Origin> {
  return has('nginx') ? startNginx() : startNode()
}

async function startNginx(): Promise<Origin> {
  const folder = scratch()
  const port = await freePort()
  const server = `listen 127.0.0.1:${port} backlog=2048; location / { return 200 '${reply}'; }`
  writeFileSync(join(folder, 'nginx.conf'), nginxConf(folder, { server }))
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

async function startNode(): Promise<Origin> {
  const file = join(import.meta.dirname, '../peers/origin.ts')
  const child = start('others', [process.execPath, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  return { what: 'node:http (no nginx here)', url: await firstLine(child), stop: () => stop(child) }
}
