/**
 * The rules of the house (docs/architecture.md):
 *
 *   core <- {config, build, images, ledger, store, targets, router} <- engine <- server <- cli
 *
 * A driver layer's own folder holds its interface; the folders inside it hold drivers. Run by
 * scripts/check-dependencies.ts, which also fails when fewer modules were read than there are files.
 */
const layers = ['config', 'build', 'images', 'ledger', 'store', 'targets', 'router']
const anyLayer = `(?:${layers.join('|')})`
/** Layers whose folders are drivers; those of the other layers are chapters of one thing. */
const driverLayer = '(?:build|store|targets|router)'
const test = ['\\.(?:test|contract|fixture)\\.ts$', '/testing/']

/** What one layer may know of another: promises, never an implementation. */
const interfaces = [
  '^src/targets/target\\.ts$',
  '^src/router/router(?:-network|-launcher|-failed)?\\.ts$',
  '^src/store/store\\.ts$',
  '^src/build/builder\\.ts$',
  '^src/images/[^/]+\\.ts$',
  '^src/ledger/[^/]+\\.ts$',
]

const forbidden = [
  {
    name: 'no-circular',
    comment: 'A cycle has no first page to read. Cycles of types alone count too.',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'core-is-pure',
    comment: 'core imports itself and errors.ts only.',
    severity: 'error',
    from: { path: '^src/core/', pathNot: test },
    to: { path: '^src/', pathNot: '^src/(?:core/|errors\\.ts$)' },
  },
  {
    name: 'core-has-no-io',
    comment: 'core has no files, processes, network, clock or randomness; hashing is allowed.',
    severity: 'error',
    from: { path: '^src/core/', pathNot: test },
    to: { dependencyTypes: ['core'], pathNot: '^(?:node:)?crypto$' },
  },
  {
    name: 'errors-stands-alone',
    severity: 'error',
    from: { path: '^src/errors\\.ts$' },
    to: { path: '.' },
  },
  {
    name: 'util-knows-no-layer',
    severity: 'error',
    from: { path: '^src/util/', pathNot: test },
    to: { path: '^src/', pathNot: '^src/(?:util/|core/|errors\\.ts$)' },
  },
  {
    name: 'layers-look-down',
    comment: 'Below engine nobody knows engine, server or cli.',
    severity: 'error',
    from: { path: `^src/${anyLayer}/`, pathNot: test },
    to: { path: '^src/(?:engine|server|cli)/' },
  },
  {
    name: 'layers-meet-at-interfaces',
    comment: 'A layer knows of another one its interface only.',
    severity: 'error',
    from: { path: `^src/(${anyLayer})/`, pathNot: test },
    to: { path: `^src/${anyLayer}/`, pathNot: ['^src/$1/', ...interfaces] },
  },
  {
    name: 'drivers-are-strangers',
    comment:
      'A driver never imports another driver of its layer; what drivers on one machine share is in targets/host.',
    severity: 'error',
    from: { path: `^src/(${driverLayer})/([^/]+)/`, pathNot: test },
    to: { path: '^src/$1/[^/]+/', pathNot: ['^src/$1/$2/', '^src/targets/host/'] },
  },
  {
    name: 'interfaces-know-no-driver',
    severity: 'error',
    from: { path: `^src/(${driverLayer})/[^/]+\\.ts$`, pathNot: [...test, '/main\\.ts$'] },
    to: { path: '^src/$1/[^/]+/' },
  },
  {
    name: 'engine-looks-down',
    severity: 'error',
    from: { path: '^src/engine/', pathNot: test },
    to: { path: '^src/(?:server|cli)/' },
  },
  {
    name: 'server-looks-down',
    severity: 'error',
    from: { path: '^src/server/', pathNot: test },
    to: { path: '^src/cli/' },
  },
  {
    name: 'only-main-names-drivers',
    comment: 'Concrete drivers are chosen in one place: main.ts.',
    severity: 'error',
    from: { path: '^src/(?:engine|server|cli)/', pathNot: [...test, '/main\\.ts$'] },
    to: { path: `^src/${driverLayer}/[^/]+/` },
  },
  {
    name: 'product-knows-no-tests',
    severity: 'error',
    from: { path: '^src/', pathNot: test },
    to: { path: [...test, '^test/', '^bench/', '^scripts/'] },
  },
  {
    name: 'resolves',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
]

module.exports = {
  forbidden,
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(?:^|/)fixtures/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
