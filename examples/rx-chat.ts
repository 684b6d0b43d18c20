/**
 * A chat room in operators: run it with `npm run example -- rx-chat`, then come in with `nc 127.0.0.1 8000`, twice.
 *
 * Look at what there is no variable for: who is in the room is who has subscribed to it, and whoever leaves
 * unsubscribes. A member that reads too slowly overflows its queue and is out; nobody waits for it. Try: a name for each
 * member, taken from its first line.
 */
import { serverFromString } from 'couplet'
import { react } from 'couplet/node'
import { chatRoom } from './rx-chat-room.ts'

react(async (reactor, endpoint = 'tcp:8000:interface=127.0.0.1') => {
  const room = chatRoom(serverFromString(reactor, endpoint), (address) => console.log(`listening on ${address}`))
  const open = room.subscribe((said) => console.log(said))
  await reactor.whenStopped()
  open.unsubscribe()
})
