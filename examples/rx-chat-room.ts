/**
 * The room of rx-chat: whatever one member says, all the others hear.
 *
 * Look at `catchError`: a member that is torn away leaves as one that says goodbye does, and the room stays. Try: answer
 * `/who` with the number of members (`scan` counts them).
 */
import { type ServerEndpoint, toText } from 'couplet'
import { lines, listen } from 'couplet/rx'
import {
  catchError,
  EMPTY,
  endWith,
  filter,
  finalize,
  map,
  mergeMap,
  type Observable,
  startWith,
  Subject,
  tap,
} from 'rxjs'

interface Said {
  readonly by: string
  readonly words: string
}

/** A room at `endpoint`, for as long as it is subscribed to: everything that is said in it, by whom. */
export function chatRoom(endpoint: ServerEndpoint, opened: (address: string) => void): Observable<string> {
  const room = new Subject<Said>()
  return listen(endpoint, lines({ delimiter: '\n' }), { opened: { next: ({ host }) => opened(String(host)) } }).pipe(
    mergeMap((member) => {
      const by = String(member.transport.peer)
      const hearing = room
        .pipe(
          filter((said) => said.by !== by),
          map(inOneLine),
        )
        .subscribe(member)
      return member.pipe(
        map(harmless),
        startWith('is here'),
        catchError(() => EMPTY),
        endWith('is gone'),
        finalize(() => hearing.unsubscribe()),
        map((words): Said => ({ by, words })),
      )
    }),
    tap((said) => room.next(said)),
    map(inOneLine),
  )
}

function inOneLine({ by, words }: Said): string {
  return `${by}: ${words}`
}

/** What strangers send is not to command anybody's terminal. */
function harmless(line: Uint8Array): string {
  return toText(line).replaceAll(/\p{Cc}/gu, '')
}
