/** Version that the provider reports to the engine. Kept equal to package.json's by a test. */
export const providerVersion = "0.1.0";
