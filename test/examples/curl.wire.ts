/** The HTTP server and the SOCKS proxy, with curl. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nobody } from '../node/loopback.ts'
import { type Ended, Started } from '../poetry/programs.ts'

const missing = spawnSync('curl', ['--version']).error !== undefined
const started = new Started()
let files = ''
let proxy = ''

describe.skipIf(missing)('curl', () => {
  beforeAll(async () => {
    const here = 'tcp:0:interface=127.0.0.1'
    const programs = [started.example('http-files', '.', here), started.example('socks-proxy', here)]
    const addresses = programs.map(async (program) => (await program.prints(/^listening on (.+)$/))[0]?.[1] ?? '')
    ;[files = '', proxy = ''] = await Promise.all(addresses)
  })
  afterAll(() => started.end())

  const curl = (...args: string[]): Promise<Ended> => started.program('curl', '--silent', '--show-error', ...args).ended

  it('gets a file, its head, and a clear no', async () => {
    expect((await curl(`http://${files}/README.md`)).stdout).toBe(readFileSync('README.md', 'utf8'))
    expect((await curl('--head', `http://${files}/README.md`)).stdout).toMatch(/^HTTP\/1\.0 200 OK\r\n.*Length: \d+/s)
    const status = ['--output', '/dev/null', '--write-out', '%{http_code}', '--path-as-is']
    expect((await curl(...status, `http://${files}/../../etc/passwd`)).stdout).toBe('404')
    expect((await curl(...status, '--data', 'x', `http://${files}/README.md`)).stdout).toBe('405')
    expect((await curl(...status, '--header', `x: ${'y'.repeat(9000)}`, `http://${files}/`)).stdout).toBe('431')
  })

  it.each(['--socks5', '--socks5-hostname'])('gets a file through the proxy (%s)', async (flag) => {
    const [, port = ''] = files.split(':')
    const { stdout } = await curl(flag, proxy, `http://localhost:${port}/package-lock.json`, '--ipv4')
    expect(stdout).toBe(readFileSync('package-lock.json', 'utf8'))
  })

  it.each([
    ['http://127.0.0.1:PORT/', 5],
    ['http://nobody.invalid/', 4],
    ['http://127.0.0.1:25/', 2],
  ])('is told by the proxy that it cannot have %s (%i)', async (url, code) => {
    const { port } = nobody()
    const { stderr } = await curl('--socks5-hostname', proxy, url.replace('PORT', String(port)))
    expect(stderr).toContain(`. (${code})`)
  })
})
