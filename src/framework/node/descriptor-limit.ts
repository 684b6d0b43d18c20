/**
 * How many connections this process can hold: each is a file descriptor, and the operating system limits those.
 *
 * When they run out, libuv accepts and closes in silence, so the server would never know; we stop before. Ancestor: the
 * reserved descriptor of `twisted.internet.tcp.Port`.
 */

/** Descriptors that are left for files, pipes, lookups and outgoing connections. */
const spare = 128
let most: number | undefined

/** The number of connections that may be open at once, unless asked otherwise; Infinity where nothing limits them. */
export function mostConnections(): number {
  return (most ??= connectionsFor(openFilesLimit()))
}

/**
 * @param descriptors the limit of open files (`ulimit -n`)
 */
export function connectionsFor(descriptors: number): number {
  return descriptors < 2 * spare ? Math.max(1, Math.floor(descriptors / 2)) : descriptors - spare
}

/** Takes 8 ms, so it is asked once, and only by programs that listen. */
function openFilesLimit(): number {
  const { report } = process
  // Left to itself, the report looks up the names of all peers, which can take seconds.
  const before: unknown = Reflect.get(report, 'excludeNetwork')
  Reflect.set(report, 'excludeNetwork', true)
  try {
    const { userLimits } = report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } }
    const soft = userLimits?.open_files?.soft
    return typeof soft === 'number' ? soft : Infinity
  } finally {
    Reflect.set(report, 'excludeNetwork', before)
  }
}
