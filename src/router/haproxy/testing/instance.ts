/**
 * A small service: answers every request with its release and, with an upstream, that one's answer after it.
 * Run as `node instance.ts <address> <port> <release> [upstream address:port]`; says `ready` once it listens.
 *
 *     /fail   500
 *     /slow   the answer after 300 ms
 *     /drop   closes the connection without an answer
 *     /count  how many requests to /drop came
 */
import { Agent, createServer, get, type ServerResponse } from 'node:http'

const [address = '', port = '', release = '', upstream] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true })
let dropped = 0

const server = createServer((request, response) => {
  if (request.url === '/drop') {
    dropped++
    request.socket.destroy()
  } else if (request.url === '/count') response.end(String(dropped))
  else if (request.url === '/fail') response.writeHead(500).end(release)
  else if (request.url === '/slow') setTimeout(() => answer(response), 300)
  else answer(response)
})

function answer(response: ServerResponse): void {
  if (upstream === undefined) {
    response.end(release)
    return
  }
  get(`http://${upstream}/`, { agent }, (reply) => {
    let text = ''
    reply.setEncoding('utf8')
    reply.on('data', (chunk: string) => {
      text += chunk
    })
    reply.on('end', () => response.writeHead(reply.statusCode ?? 502).end(`${release} ${text}`))
  }).on('error', () => response.writeHead(502).end(`${release} no upstream`))
}

server.keepAliveTimeout = 60_000
server.listen(Number(port), address, () => process.stdout.write('ready\n'))
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
