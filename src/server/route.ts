import type { z } from 'zod'
import type { Op } from '../core/op.ts'
import type { Actor, Engine } from '../engine/engine.ts'
import type { Registry } from '../images/registry/server/open-registry.ts'

/** What a handler is given beside its parsed input. */
export interface Call {
  readonly engine: Engine
  readonly registry: Registry
  readonly op: Op
  /** Who asks; looked up only by routes that record it. */
  actor(): Promise<Actor>
}

interface RouteBase<Input extends z.ZodType> {
  readonly method: 'GET' | 'POST'
  /** Under `/v1`; `:deployment` is a parameter. */
  readonly path: string
  readonly summary: string
  /** Of the body (POST), or of the query string and parameters together (GET). */
  readonly input: Input
  /** The schema of the result, or of one item of a stream. */
  readonly schema: string
}

/**
 * A call as data; docs/api.md is generated from the list of them.
 * - `result`: one JSON document
 * - `progress`: the same; clients that accept NDJSON get progress events before it
 * - `items`: NDJSON without an end of its own
 * - `bytes`: a tar
 */
export type Route<Input extends z.ZodType = z.ZodType> =
  | (RouteBase<Input> & {
      readonly answer: 'result' | 'progress'
      handle(input: z.output<Input>, call: Call): Promise<object | void>
    })
  | (RouteBase<Input> & {
      readonly answer: 'items'
      handle(input: z.output<Input>, call: Call): AsyncIterable<unknown>
    })
  | (RouteBase<Input> & {
      readonly answer: 'bytes'
      handle(input: z.output<Input>, call: Call): AsyncIterable<Uint8Array>
    })

/** Keeps a route's input type for its handler, then forgets it so that routes fit in one list. */
export const defineRoute = <Input extends z.ZodType>(route: Route<Input>): Route => route
