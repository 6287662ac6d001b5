/** How a layer says what it takes away from those below (image-spec, layer.md, "Whiteouts"). */
export const whiteoutPrefix = '.wh.'

/** In a folder: nothing that lower layers have below it is left. */
export const opaqueWhiteout = '.wh..wh..opq'
