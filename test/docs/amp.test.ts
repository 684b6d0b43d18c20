/** docs/amp.md: each of its blocks is a file here, runs, and prints what it says. */
import { readdirSync, readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { amp, connectProtocol, type IPv4Address, TCPClientEndpoint } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { describe, expect, it, vi } from 'vitest'
import { ca, server } from '../node/certificates.ts'
import { callSecretly, secretly } from './amp/secret.ts'

const page = readFileSync(new URL('../../docs/amp.md', import.meta.url), 'utf8')
const blocks = [...page.matchAll(/(?:<!-- (\S+\.ts) -->\n\n)?```ts\n([^]*?)```/g)].map(([, name, text]) => ({
  name,
  text,
}))
const folder = new URL('./amp/', import.meta.url)
const run: Record<string, () => Promise<unknown>> = {
  'both-sides.ts': () => import('./amp/both-sides.ts'),
  'both-ways.ts': () => import('./amp/both-ways.ts'),
  'errors.ts': () => import('./amp/errors.ts'),
  'secret.ts': askInSecret,
}

/** What stands in secret.ts, over a connection. */
async function askInSecret(): Promise<void> {
  const reactor = new NodeReactor()
  const port = await reactor.listenTCP(0, secretly(server), { interface: '127.0.0.1' })
  const endpoint = new TCPClientEndpoint(reactor, '127.0.0.1', (port.host as IPv4Address).port)
  const peer = await connectProtocol(endpoint, new amp.AMP())
  await callSecretly(peer, ca)
  peer.transport.loseConnection()
  await port.stopListening()
}

describe('AMP', () => {
  it('has a block for each file, and a file for each block', () => {
    expect(blocks.map(({ name }) => name).toSorted()).toEqual(readdirSync(folder).toSorted())
  })

  it.each(blocks)('$name is the file', ({ name, text }) => {
    expect(text).toBe(readFileSync(new URL(String(name), folder), 'utf8'))
  })

  it.each(blocks.filter(({ text = '' }) => text.includes('// → ')))(
    '$name prints what it says',
    async ({ name, text = '' }) => {
      const printed: string[] = []
      const spy = vi.spyOn(console, 'log').mockImplementation((...words: unknown[]) => {
        printed.push(words.map((word) => (typeof word === 'string' ? word : inspect(word))).join(' '))
      })
      await run[String(name)]?.()
      spy.mockRestore()
      const promised = [...text.matchAll(/\/\/ → (.*)/g)].map(([, words]) => words)
      expect(printed).toEqual(promised)
    },
  )
})
