/**
 * Ends a socket the hard way, so that the peer sees that it broke.
 *
 * No ancestor: Twisted sets SO_LINGER to 0 and closes.
 */
import type { Socket } from 'node:net'

/**
 * Resets a TCP socket. Sockets of the file system have no reset: theirs is only closed, and the peer learns that it broke
 * if we have left something unread, and otherwise sees a clean end.
 */
export function resetSocket(socket: Socket): void {
  // Node says whether a socket is TCP only by throwing; those of the file system have no address.
  if (socket.remotePort === undefined && socket.localPort === undefined) socket.destroy()
  else socket.resetAndDestroy()
}
