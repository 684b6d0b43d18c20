/**
 * The PROXY protocol with a real HAProxy on either side of it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTLS } from 'node:tls'
import type { Deferred } from 'couplet'
import {
  attach,
  Factory,
  IPv4Address,
  IPv6Address,
  type ListeningPort,
  type Policy,
  Protocol,
  type ProxyHeader,
  proxyHeaderOf,
  proxyProtocol,
  type Report,
  sendProxyHeader,
  setReporter,
  toText,
  withPolicies,
} from 'couplet'
import { NodeReactor } from 'couplet/node'
import { AccumulatingProtocol } from 'couplet/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** What the server saw of one connection. */
interface Seen {
  readonly peer: string
  readonly host: string
  readonly header: ProxyHeader | undefined
}

const reactor = new NodeReactor()
const folder = mkdtempSync(join(tmpdir(), 'couplet-haproxy-'))
const reports: Report[] = []
const seen: Seen[] = []
let whenSeen = (): void => {}
/** A health check that says something and wants to hear it again. */
const asking = 'option tcp-check\n tcp-check connect send-proxy\n tcp-check send ping\n tcp-check expect string ping'
/** Proxies in HAProxy: the name of each, what it adds to its `bind` and its `server` line, and other lines. */
const frontends = {
  v1: ['', 'send-proxy'],
  v2: ['', 'send-proxy-v2'],
  tlvs: ['', 'send-proxy-v2 proxy-v2-options unique-id,crc32c'],
  tls: [`ssl crt ${folder}/both.pem alpn poem`, 'send-proxy-v2-ssl-cn proxy-v2-options authority,ssl,crc32c'],
  accepts: ['accept-proxy', 'send-proxy-v2'],
  checks: ['', 'send-proxy-v2 check inter 20ms'],
  asks: ['', 'send-proxy-v2 check inter 20ms', asking],
} as const
type Frontend = keyof typeof frontends
const ports = new Map<string, number>()
let haproxy: ChildProcess
let port: ListeningPort
let stopReporting: () => void

/** Says back what it hears, and writes down who it thinks it talks to. */
class Echo extends Protocol {
  override connectionMade(): void {
    const { peer, host } = this.transport
    seen.push({ peer: String(peer), host: String(host), header: proxyHeaderOf(this.transport) })
    whenSeen()
  }
  override dataReceived(chunk: Uint8Array): void {
    this.transport.write(chunk)
  }
}

beforeAll(async () => {
  stopReporting = setReporter((report) => reports.push(report))
  const policy = proxyProtocol({ trusted: ['127.0.0.1'], clock: reactor })
  const factory = withPolicies(
    Factory.forProtocol(() => new Echo()),
    policy,
  )
  port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1' })
  const { port: behind } = port.host as IPv4Address
  execFileSync(
    'openssl',
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=poems.example -keyout key.pem -out cert.pem'.split(
      ' ',
    ),
    { cwd: folder, stdio: 'ignore' },
  )
  const pem = ['cert.pem', 'key.pem'].map((name) => readFileSync(join(folder, name), 'utf8')).join('')
  writeFileSync(join(folder, 'both.pem'), pem)
  // HAProxy gets sockets that listen already, so that nobody has to guess a free port.
  const sockets = await Promise.all(
    Object.keys(frontends).map(async (name) => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      ports.set(name, (server.address() as AddressInfo).port)
      return server
    }),
  )
  const descriptors = sockets.map((server) => (server as unknown as { _handle: { fd: number } })._handle.fd)
  const sections = Object.entries(frontends).map(
    ([name, [bind, server, more = '']], index) =>
      `listen ${name}\n bind fd@${index + 3} ${bind}\n unique-id-format %{+X}o%ci:%cp\n server s 127.0.0.1:${behind} ${server}\n ${more}\n`,
  )
  const defaults = 'defaults\n mode tcp\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n'
  writeFileSync(join(folder, 'haproxy.cfg'), `${defaults}${sections.join('')}`)
  haproxy = spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], {
    stdio: ['ignore', 'ignore', 'inherit', ...descriptors],
  })
  for (const server of sockets) server.close()
})

afterAll(async () => {
  stopReporting()
  haproxy.kill()
  await once(haproxy, 'exit')
  await port.stopListening({ drain: 0 })
  rmSync(folder, { recursive: true })
})

function dialed(frontend: Frontend, ...policies: Policy[]): Deferred<AccumulatingProtocol> {
  const factory = withPolicies(
    Factory.forProtocol(() => new AccumulatingProtocol()),
    ...policies,
  )
  const address = new IPv4Address('TCP', '127.0.0.1', ports.get(frontend)!)
  return reactor.dial(address).addCallback((connection) => attach(factory, connection))
}

/** Talks to the server through HAProxy: says something, hears it again, and says whom the server saw. */
async function talk(frontend: Frontend, ...policies: Policy[]): Promise<{ client: string; said: Seen; text: string }> {
  const client = await dialed(frontend, ...policies)
  const address = String(client.transport.host)
  const before = seen.length
  client.transport.write('a poem, please')
  client.transport.loseWriteConnection()
  await client.whenClosed()
  return {
    client: address,
    said: seen.slice(before).find((each) => each.header?.command === 'PROXY')!,
    text: client.text(),
  }
}

describe('behind HAProxy', () => {
  it.each(['v1', 'v2', 'tlvs'] as const)('we see the client and the address that it came to: %s', async (frontend) => {
    const { client, said, text } = await talk(frontend)
    expect(text).toBe('a poem, please')
    expect([said.peer, said.host]).toEqual([client, `127.0.0.1:${ports.get(frontend)}`])
    expect(said.header?.version).toBe(frontend === 'v1' ? 1 : 2)
  })

  it('we see the unique ID, and the checksum is right', async () => {
    const { client, said } = await talk('tlvs')
    const [, port] = client.split(':')
    expect(toText(said.header!.uniqueId!)).toBe(`7F000001:${Number(port).toString(16).toUpperCase().padStart(4, '0')}`)
    expect(said.header?.value(0x03)).toHaveLength(4)
  })

  it('we see what it knows about TLS', async () => {
    const before = seen.length
    const socket = connectTLS({
      host: '127.0.0.1',
      port: ports.get('tls')!,
      servername: 'poems.example',
      ca: readFileSync(join(folder, 'cert.pem')),
      ALPNProtocols: ['poem'],
    })
    await once(socket, 'secureConnect')
    const version = socket.getProtocol()
    socket.end('secret')
    const chunks = (await socket.toArray()) as Buffer[]
    expect(Buffer.concat(chunks).toString()).toBe('secret')
    const header = seen.slice(before).find((each) => each.header?.ssl !== undefined)?.header
    expect(header?.authority).toBe('poems.example')
    expect(header?.ssl).toMatchObject({ tls: true, verified: false, version })
  })

  it('health checks are LOCAL, keep the address of the socket, and are not reported', async () => {
    // Those that only connect have mostly gone before we see them, with a reset.
    const checks = (): Seen[] => seen.filter(({ header }) => header?.command === 'LOCAL')
    while (checks().length < 5) await new Promise<void>((resolve) => (whenSeen = resolve))
    for (const { peer } of checks()) expect(peer).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(reports.map(({ error, what }) => `${what}: ${String(error)}`)).toEqual([])
  })
})

describe('before HAProxy', () => {
  const pairs = [
    [new IPv4Address('TCP', '192.0.2.1', 1111), new IPv4Address('TCP', '198.51.100.2', 2222)],
    [new IPv6Address('TCP', '2001:db8::1', 3333), new IPv6Address('TCP', '2001:db8::2', 4444)],
  ] as const

  it.each([1, 2] as const)('our header of version %s is one that it accepts', async (version) => {
    for (const [source, destination] of pairs) {
      const { said, text } = await talk('accepts', sendProxyHeader(version, { source, destination }))
      expect(text).toBe('a poem, please')
      expect([said.peer, said.host]).toEqual([String(source), String(destination)])
    }
  })

  it('our checksum and our TLVs are ones that it accepts', async () => {
    const [[source, destination]] = pairs
    const tlvs = [{ type: 0xe0, value: new Uint8Array([1, 2, 3]) }]
    const { said } = await talk('accepts', sendProxyHeader(2, { source, destination, tlvs, checksum: true }))
    expect(said.peer).toBe(String(source))
  })

  it('our LOCAL leaves it with the address of the socket', async () => {
    const { client, said } = await talk('accepts', sendProxyHeader(2))
    expect(said.peer).toBe(client)
  })
})
