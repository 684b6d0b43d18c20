import { Factory, LineReceiver, TCPClientEndpoint, TCPServerEndpoint, toText } from 'couplet'
import { connect, lines } from 'couplet/rx'
import { Sim } from 'couplet/sim'
import { map } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { chatRoom } from '../../examples/rx-chat-room.ts'
import { faithfulLines } from '../../examples/rx-faithful-lines.ts'
import { spacedQuestions } from '../../examples/rx-spaced-questions.ts'
import { wordCounts } from '../../examples/rx-word-counts.ts'
import { Shout } from '../../examples/shout-protocol.ts'
import { heard } from '../rx/heard.ts'

function world() {
  const sim = new Sim({ latency: 1 })
  const server = sim.host('server').reactor
  const client = sim.host('client').reactor
  const addresses: string[] = []
  return {
    sim,
    server,
    client,
    listening: new TCPServerEndpoint(server, 8000),
    reaching: new TCPClientEndpoint(client, 'server', 8000),
    addresses,
    opened: (address: string) => void addresses.push(address),
  }
}

describe('the chat room', () => {
  it('lets all others hear what one says, who came, and who left, however', () => {
    const { sim, listening, reaching, opened, addresses } = world()
    const room = heard(chatRoom(listening, opened))
    sim.advance(10)
    expect(addresses.length).toBe(1)
    const member = () => {
      const connection = connect(reaching, lines({ delimiter: '\n' }))
      const ears = heard(connection.pipe(map((line) => toText(line).replace(/^\S+: /, ''))))
      sim.advance(10)
      return { connection, ...ears }
    }
    const one = member()
    const two = member()
    const three = member()
    one.connection.next('hello \x1b[31mworld')
    sim.advance(10)
    two.unsubscribe()
    sim.advance(10)
    three.connection.error(new Error('the cable'))
    sim.advance(10)
    expect(one.log).toEqual(['is here', 'is here', 'is gone', 'is gone'])
    expect(two.log).toEqual(['is here', 'hello [31mworld'])
    expect(three.log.slice(0, 2)).toEqual(['hello [31mworld', 'is gone'])
    expect(room.log.length).toBe(6)
    one.unsubscribe()
    room.unsubscribe()
    sim.advance(10)
    expect(sim.pending).toBe(0)
  })
})

describe('the client that takes its time', () => {
  it('asks a question a second and gives the answers', () => {
    const { sim, server, client, reaching } = world()
    server.listenTCP(
      8000,
      Factory.forProtocol(() => new Shout()),
    )
    sim.advance()
    const answers = spacedQuestions(reaching, ['how', 'are', 'you'], 1000, client)
    const { log } = heard(answers.pipe(map((answer) => `${Math.floor(sim.now / 1000)} ${answer}`)))
    sim.advance(10_000)
    expect(log).toEqual(['1 HOW', '2 ARE', '3 YOU', 'complete'])
    expect(sim.pending).toBe(0)
  })
})

describe('the word count', () => {
  it('counts the words of all clients and says so once a second', () => {
    const { sim, server, listening, reaching, opened } = world()
    const counting = heard(wordCounts(listening, 1000, server, opened))
    sim.advance(10)
    for (const text of ['The rain, the RAIN', 'the sun']) {
      const client = connect(reaching, lines({ delimiter: '\n' }))
      heard(client)
      client.next(text)
    }
    sim.advance(3000)
    expect(counting.log).toEqual([
      [
        ['the', 3],
        ['rain', 2],
        ['sun', 1],
      ],
    ])
    counting.unsubscribe()
  })
})

describe('the faithful subscriber', () => {
  it('comes back after a clean end, after a break, and when there is nobody yet', () => {
    const { sim, server, client, reaching } = world()
    const { log, unsubscribe } = heard(faithfulLines(reaching, 'rain', client))
    sim.advance(5000)
    const ends = ['close', 'abort', 'stay']
    class News extends LineReceiver {
      override lineReceived(line: Uint8Array) {
        this.sendLine(line)
        const end = ends.shift()
        if (end === 'close') this.transport.loseConnection()
        else if (end === 'abort') server.callLater(10, () => this.transport.abortConnection())
      }
    }
    server.listenTCP(
      8000,
      Factory.forProtocol(() => new News()),
    )
    sim.advance(120_000)
    expect(log).toEqual(['join rain', 'join rain', 'join rain'])
    unsubscribe()
    sim.advance(10)
    expect(sim.pending).toBe(0)
  })
})
