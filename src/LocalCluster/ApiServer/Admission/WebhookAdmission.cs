using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Patching;
using Opt.LocalCluster.ApiServer.Rest;
using Opt.LocalCluster.ApiServer.Schema.Cel;
using Opt.LocalCluster.ApiServer.Storage;

namespace Opt.LocalCluster.ApiServer.Admission;

/// <summary>The webhooks that MutatingWebhookConfigurations and ValidatingWebhookConfigurations name.</summary>
internal sealed class WebhookAdmission(ObjectStore store, IdSource ids, WebhookClient client) : IAdmission
{
    private const string Group = "admissionregistration.k8s.io";

    public async ValueTask MutateAsync(AdmissionReviewRequest review, CancellationToken ct)
    {
        var changed = false;
        var before = new List<Webhook>();
        foreach (var webhook in Concerned("mutatingwebhookconfigurations", review))
        {
            changed |= await MutateAsync(webhook, review, ct);
            before.Add(webhook);
        }

        // Those that asked for it see once more what came after them.
        if (!changed) return;
        foreach (var webhook in before.Where(w => w.Reinvokes)) await MutateAsync(webhook, review, ct);
    }

    public async ValueTask ValidateAsync(AdmissionReviewRequest review, CancellationToken ct)
    {
        foreach (var webhook in Concerned("validatingwebhookconfigurations", review)) await CallAsync(webhook, review, ct);
    }

    private IEnumerable<Webhook> Concerned(string plural, AdmissionReviewRequest review)
    {
        // What decides about webhooks is not subject to them.
        if (review.Kind.Group == Group) return [];
        return store.List($"{Group}/{plural}", null).Objects
            .SelectMany(o => o.ToTree().Items("webhooks"))
            .Select(w => new Webhook(w.Copy()))
            .Where(w => w.Concerns(review, ns => store.Get("/namespaces", "", ns)?.ToTree().Obj("metadata", "labels")) && Holds(w, review));
    }

    private async Task<bool> MutateAsync(Webhook webhook, AdmissionReviewRequest review, CancellationToken ct)
    {
        if (await CallAsync(webhook, review, ct) is not { } response || response.Str("patch") is not { Length: > 0 } encoded || review.Object is null) return false;
        try
        {
            var patch = JsonText.Parse(Convert.FromBase64String(encoded));
            if (JsonPatch.Apply(review.Object.Copy(), patch) is not JsonObject patched) throw new PatchException("the result is not an object", malformed: false);
            var decoded = review.Kind.Codec.Decode(patched, null);
            var changed = !decoded.SameAs(review.Object);
            review.Object = decoded;
            return changed;
        }
        catch (Exception e) when (e is FormatException or System.Text.Json.JsonException or PatchException or Schema.DecodeException)
        {
            throw Failed(webhook, e.Message);
        }
    }

    /// <summary>The webhook's response; null when it failed and may be ignored.</summary>
    private async Task<JsonObject?> CallAsync(Webhook webhook, AdmissionReviewRequest review, CancellationToken ct)
    {
        try
        {
            var response = await client.CallAsync(webhook, AdmissionReviews.Of(review, ids), ct);
            foreach (var warning in response.Strings("warnings")) review.Request.Warn(warning);
            return response["allowed"].Bool() == true ? response : throw Denied(webhook, response);
        }
        catch (WebhookException) when (webhook.FailsOpen)
        {
            return null;
        }
        catch (WebhookException e)
        {
            throw Failed(webhook, e.Message);
        }
    }

    private static bool Holds(Webhook webhook, AdmissionReviewRequest review)
    {
        var conditions = webhook.MatchConditions.ToArray();
        if (conditions.Length == 0) return true;
        var request = AdmissionReviews.Of(review, new IdSource(0)).Obj("request")!;
        var variables = new Dictionary<string, object?>
        {
            ["object"] = CelValues.From(request["object"], null),
            ["oldObject"] = CelValues.From(request["oldObject"], null),
            ["request"] = CelValues.From(request, null),
        };
        try
        {
            return conditions.All(c => CelProgram.Compile(c.Expression).Evaluate(variables) is true);
        }
        catch (Exception e) when (e is CelException or CelSyntaxException)
        {
            // An error in a condition counts as a failure of the webhook.
            return webhook.FailsOpen ? false : throw ApiErrors.Internal($"failed to evaluate match conditions for webhook \"{webhook.Name}\": {e.Message}");
        }
    }

    private static ApiException Failed(Webhook webhook, string why) => ApiErrors.Internal($"failed calling webhook \"{webhook.Name}\": {why}");

    private static ApiException Denied(Webhook webhook, JsonObject response)
    {
        var status = response.Obj("status") ?? [];
        var said = status.Str("message") is { Length: > 0 } message ? $": {message}" : status.Str("reason") is { Length: > 0 } reason ? $": {reason}" : " without explanation";
        var code = (int)(status["code"].Long() ?? 0);
        return ApiErrors.Error(
            code is > 0 and not 200 ? code : 403,
            status.Str("reason") ?? (code == 0 ? "Forbidden" : ""),
            $"admission webhook \"{webhook.Name}\" denied the request{said}",
            status.Obj("details")?.Copy());
    }
}
