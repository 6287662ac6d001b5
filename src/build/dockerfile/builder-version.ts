/** Raised whenever the same inputs would be handed to the programs in another way. */
export const dockerfileBuilderVersion = '1'
