/** Our poetry programs with Twisted's, written as krondo's series has them: both ways round. */
import { fileURLToPath } from 'node:url'
import { clientFromString } from 'couplet'
import { NodeReactor } from 'couplet/node'
import { builtInPoems, transformPoem } from 'couplet/poetry'
import { afterEach, describe, expect, it } from 'vitest'
import { pythonWith } from '../python.ts'
import { Started } from './programs.ts'

const python = pythonWith(['twisted'], 'python3-twisted')
const script = fileURLToPath(new URL('twisted_poets.py', import.meta.url))
const started = new Started()
afterEach(() => started.end())

const twisted = (...args: string[]) => started.program(python ?? 'python3', script, ...args)

/** One of our servers, and the ports on which it listens. */
async function ours(name: 'slowpoetry' | 'poetry-transform' | 'poetry-proxy', count: number, ...args: string[]) {
  const server = started.poetry(name, '--port', '0', ...args)
  const lines = await server.prints(/^listening on 127\.0\.0\.1:(\d+): .*\n/, count)
  return lines.map(([, port = '']) => port)
}

/** One of Twisted's, and the port on which it listens. */
async function theirs(...args: string[]): Promise<string> {
  const [[, port = ''] = []] = await twisted(...args).prints(/^(\d+)\n/)
  return port
}

describe.skipIf(python === undefined)('Twisted', () => {
  it('gets poems from slowpoetry, and the same ones from the proxy before it', async () => {
    const ports = await ours('slowpoetry', 3, '--delay', '10ms', '--num-bytes', '7')
    const proxied = await ours('poetry-proxy', 3, ...ports)
    for (const port of [...ports.entries(), ...proxied.entries()]) {
      const { code, stdout } = await twisted('get', port[1]).ended
      expect([code, stdout]).toEqual([0, builtInPoems[port[0]]?.text])
    }
  })

  it('hears from the proxy that a poem cannot be had, and does not take nothing for a poem', async () => {
    const [port = ''] = await ours('poetry-proxy', 1, '1')
    const { stdout } = await twisted('get', port).ended
    expect(stdout).toBe('failed ConnectionLost\n')
  })

  it('serves a poem to get-poetry, and to the proxy', async () => {
    const file = fileURLToPath(new URL('../../LICENSE', import.meta.url))
    const port = await theirs('serve-poem', file)
    const [proxy = ''] = await ours('poetry-proxy', 1, port)
    const [direct, proxied] = await Promise.all([port, proxy].map((from) => started.poetry('get-poetry', from).ended))
    expect(direct?.code).toBe(0)
    expect(direct?.stdout).toContain('MIT License')
    expect(proxied).toMatchObject({ code: 0, stdout: direct?.stdout })
  })

  it('has poems transformed by poetry-transform, and hears its refusal as the end of the connection', async () => {
    const [port = ''] = await ours('poetry-transform', 1)
    const [known, unknown] = await Promise.all([
      twisted('transform', port, 'cummingsify', 'Qui PÉNÈTRE. Mon cœur ?').ended,
      twisted('transform', port, 'whisper', 'poem').ended,
    ])
    expect([known?.stdout, unknown?.stdout]).toEqual(['qui pénètre. mon cœur ?', 'failed ConnectionDone\n'])
  })

  it('transforms poems for our client, if that speaks plainly', async () => {
    const reactor = new NodeReactor()
    const endpoint = clientFromString(reactor, `tcp:127.0.0.1:${await theirs('serve-transform')}`)
    const poem = await transformPoem(endpoint, 'cummingsify', 'Mon CœUR. ?', { plain: true })
    expect(poem).toBe('mon cœur. ?')
    const refused = transformPoem(endpoint, 'shout', 'poem', { plain: true })
    await expect(refused.toPromise()).rejects.toThrow(/^127\.0\.0\.1:\d+: no answer: connection closed cleanly$/)
  })
})
