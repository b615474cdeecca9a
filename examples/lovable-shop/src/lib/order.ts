import * as z from "zod";

/** An order is its id, chosen by the customer's side, so that it can be looked for later. */
export const orderSchema = z.object({ id: z.string().min(1).max(200) });
