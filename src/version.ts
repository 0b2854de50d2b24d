/** Tells the version of this program. */
export async function ownVersion(): Promise<string> {
  const { default: own } = (await import('../package.json', { with: { type: 'json' } })) as {
    default: { version: string }
  }
  return own.version
}
