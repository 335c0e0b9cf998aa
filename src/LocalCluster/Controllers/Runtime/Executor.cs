using System.Globalization;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>Carries out decisions. One refused act does not stop the others; the first refusal is thrown at the end, so that the key is tried again.</summary>
internal sealed class Executor(IClusterApi api, CacheSet caches, EventRecorder events, Caller caller)
{
    public async Task RunAsync(IEnumerable<Act> acts, CancellationToken ct)
    {
        ApiException? refused = null;
        foreach (var act in acts)
        {
            try
            {
                await RunAsync(act, ct);
            }
            catch (ApiException e)
            {
                refused ??= e;
                await ReportAsync(act, e, ct);
            }
        }

        if (refused is not null) throw refused;
    }

    private Task RunAsync(Act act, CancellationToken ct) => act switch
    {
        Act.Create create => CreateAsync(create, ct),
        Act.Delete delete => DeleteAsync(delete, ct),
        Act.Replace replace => ReplaceAsync(replace, ct),
        Act.Patch patch => PatchAsync(patch, ct),
        Act.Announce announce => events.RecordAsync(announce.Said, ct),
        _ => throw new System.Diagnostics.UnreachableException($"No executor for {act.GetType().Name}"),
    };

    private async Task CreateAsync(Act.Create act, CancellationToken ct)
    {
        JsonObject created;
        try
        {
            created = await api.CreateAsync(act.Resource, Namespace(act.Body), act.Body, caller, ct);
            caches.Find(act.Resource)?.Observe(created);
        }
        catch (ApiException e) when (e.Reason == "AlreadyExists")
        {
            return;
        }

        // A generated name is known only now.
        if (act.Said is { } said) await events.RecordAsync(said with { Message = said.Message.Replace("{name}", created.Name, StringComparison.Ordinal) }, ct);
    }

    private async Task DeleteAsync(Act.Delete act, CancellationToken ct)
    {
        var options = new JsonObject
        {
            ["apiVersion"] = "v1", ["kind"] = "DeleteOptions", ["preconditions"] = new JsonObject { ["uid"] = act.Target.Uid },
        };
        if (act.Force) options["gracePeriodSeconds"] = 0;
        if (act.Propagation is { } propagation) options["propagationPolicy"] = propagation;
        try
        {
            var left = await api.DeleteAsync(act.Resource, Namespace(act.Target), act.Target.Name, options, caller, ct);
            Note(act, left);
        }
        catch (ApiException e) when (e.Code == 404)
        {
            caches.Find(act.Resource)?.Forget(act.Target.Key, act.Target.Uid);
            return;
        }

        if (act.Said is { } said) await events.RecordAsync(said, ct);
    }

    // The answer is the object itself while finalizers or a grace period keep it, and it or a Status when it is gone.
    private void Note(Act.Delete act, JsonObject left)
    {
        if (caches.Find(act.Resource) is not { } cache) return;
        var waits = left.Text("kind") != "Status" && (left.Finalizers.Any() || left.Number("metadata", "deletionGracePeriodSeconds") is > 0);
        if (waits) cache.Observe(left);
        else cache.Forget(act.Target.Key, act.Target.Uid);
    }

    private async Task ReplaceAsync(Act.Replace act, CancellationToken ct)
    {
        var written = await api.UpdateAsync(act.Resource, Namespace(act.Body), act.Body.Name, act.Body, caller, ct, act.Subresource);
        caches.Find(act.Resource)?.Observe(written);
        if (act.Said is { } said) await events.RecordAsync(said, ct);
    }

    private async Task PatchAsync(Act.Patch act, CancellationToken ct)
    {
        try
        {
            var written = await api.PatchAsync(act.Resource, Namespace(act.Target), act.Target.Name, act.Kind, act.Body, caller, ct, act.Subresource);
            caches.Find(act.Resource)?.Observe(written);
        }
        catch (ApiException e) when (e.Code == 404)
        {
            caches.Find(act.Resource)?.Forget(act.Target.Key, act.Target.Uid);
        }
    }

    private async Task ReportAsync(Act act, ApiException error, CancellationToken ct)
    {
        var said = (act as Act.Create)?.Said ?? (act as Act.Delete)?.Said;
        if (said is not { FailedReason: { } reason, FailedMessage: { } message }) return;
        await events.RecordAsync(Announcement.Warning(said.About, reason, string.Format(CultureInfo.InvariantCulture, message, error.Message)), ct);
    }

    private static string? Namespace(JsonObject o) => o.Namespace.Length == 0 ? null : o.Namespace;
}
