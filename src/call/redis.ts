/** What can fail with Redis: what it answers with, whose codes are upper-case words, and what happens on the way. */
export const redisCodes = [
  'OOM',
  'READONLY',
  'LOADING',
  'NOAUTH',
  'WRONGPASS',
  'NOPERM',
  'MISCONF',
  'CLUSTERDOWN',
  'BUSY',
  'timeout',
  'connection',
  'corrupt',
  'other',
] as const
export type RedisCode = (typeof redisCodes)[number]
