/**
 * A server that adds, in a process of its own: `amp-server.ts NAME`. It says its port, and then, when it is asked, its
 * CPU time in microseconds.
 */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { amp, Factory, type IPv4Address } from 'couplet'
import { reactor } from 'couplet/node'
import { answer } from './child.ts'
import { type Question, splitter, Sum } from './sum.ts'

const methods = new Map([['Sum', ({ a, b }: Question['params']) => ({ total: a + b })]])

function answerTo(line: string): string {
  const { id, method, params } = JSON.parse(line) as Question
  return `${JSON.stringify({ id, result: methods.get(method)?.(params) })}\n`
}

/** Each opens a port of its own. */
const servers: Readonly<Record<string, () => Promise<number>>> = {
  couplet: async () => {
    const locator = new amp.CommandLocator().respond(Sum, ({ a, b }) => ({ total: a + b }))
    const port = await reactor.listenTCP(
      0,
      Factory.forProtocol(() => new amp.AMP(locator)),
      { interface: '127.0.0.1' },
    )
    return (port.host as IPv4Address).port
  },
  'json, by hand': () =>
    listen((socket) => {
      socket.on(
        'data',
        splitter(
          (line) => void socket.write(answerTo(line)),
          () => {},
        ),
      )
    }),
  'json, gathered': () =>
    listen((socket) => {
      let answers = ''
      socket.on(
        'data',
        splitter(
          (line) => {
            answers += answerTo(line)
          },
          () => {
            if (answers !== '') socket.write(answers)
            answers = ''
          },
        ),
      )
    }),
}

async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const [name = ''] = process.argv.slice(2)
const open = servers[name]
if (open === undefined) throw new Error(`no server is called '${name}'; there are ${Object.keys(servers).join('; ')}`)
answer(() => {
  const { user, system } = process.cpuUsage()
  return user + system
})
console.log(await open())
