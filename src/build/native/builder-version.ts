/** Raised whenever the same inputs may give other bytes. It is one of the inputs of every image and cached layer. */
export const nativeBuilderVersion = '1'
