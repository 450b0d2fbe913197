import { Elysia, t } from "elysia";
import { type Dependencies, guard } from "../auth/guard.ts";
import { publicOrigin } from "../auth/origin.ts";
import { hashSecret, newInviteCode } from "../auth/secrets.ts";
import { forbidden } from "../problem.ts";
import { integer } from "../schema.ts";
import { DAYS, inviteLink } from "./link.ts";
import { createInvite } from "./queries.ts";

/** Links by which one person may sign up, once: administrators make them. */
export const inviteRoutes = ({ db, callers, config }: Dependencies) =>
  new Elysia({ tags: ["Identity"] }).use(guard(callers, config)).post(
    "/invites",
    async ({ request, caller, body, set }) => {
      if (!caller.administrator) throw forbidden("Administrators make invites.");
      const invite = newInviteCode();
      const { id, expiresAt } = await createInvite(db.sql, {
        secretHash: hashSecret(invite),
        days: body?.days ?? DAYS.usual,
        createdBy: caller.id,
      });
      const { https, host } = publicOrigin(request, config);
      set.status = 201;
      return { id, invite, link: inviteLink(`http${https ? "s" : ""}://${host}`, invite), expiresAt };
    },
    {
      body: t.Optional(t.Object({ days: t.Optional(integer({ minimum: 1, maximum: DAYS.most })) })),
      detail: { summary: "Make a link by which one person may sign up, once; it is shown this once" },
    },
  );
