/** Reserved for this host on the loopback device: the same from here and from every machine. */
export const registryHost = "10.77.0.1";
export const registryPort = 5000;

/** Where the lab's registry answers, plain HTTP. */
export const registryAddress = `${registryHost}:${registryPort}`;
