/**
 * A forwarder to a port of this machine, in a process of its own: `forwarder.ts NAME PORT`. It says its port, and then,
 * when it is asked, its CPU time in microseconds (`cpu`) or its memory in bytes (`memory`).
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type IPv4Address, portForward, TCPClientEndpoint } from 'couplet'
import { reactor } from 'couplet/node'
import { answer } from './child.ts'

const [name = '', target] = process.argv.slice(2)

const forwarders: Readonly<Record<string, () => Promise<number>>> = {
  async couplet() {
    const factory = new portForward.ProxyFactory(new TCPClientEndpoint(reactor, '127.0.0.1', Number(target)))
    const port = await reactor.listenTCP(0, factory, { interface: '127.0.0.1' })
    return (port.host as IPv4Address).port
  },
  /** As everybody writes it; a broken connection is passed on as well, and nothing is read too early. */
  async 'net, pipe'() {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) => {
      const upstream = connect({ port: Number(target), host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      client.on('error', () => upstream.resetAndDestroy())
      upstream.on('error', () => client.resetAndDestroy())
      upstream.on('connect', () => {
        client.pipe(upstream)
        upstream.pipe(client)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
}

console.log(await forwarders[name]!())

answer((question) => {
  if (question === 'cpu') {
    const { user, system } = process.cpuUsage()
    return user + system
  }
  return process.memoryUsage.rss()
})
