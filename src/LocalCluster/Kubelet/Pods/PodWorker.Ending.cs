using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>Stopping a pod that is deleted, and letting it go.</summary>
internal sealed partial class PodWorker
{
    /// <summary>
    /// Asks every container to end, main ones before sidecars, kills what is left when the grace period is over, reports the end and removes the pod from
    /// the API server. True when all of that is done.
    /// </summary>
    private async Task<bool> EndAsync(CancellationToken ct)
    {
        await AskToEndAsync(ct);
        foreach (var instance in _instances.Values) instance.KillIfDue();
        if (_instances.Count > 0)
        {
            LookIn(_instances.Values.Min(i => i.StopBy ?? _stopBy!.Value) - _node.Clock.GetUtcNow());
            if (!_gone) await TryReportEndingAsync(ct);
            return false;
        }

        if (_gone) return true;
        if (!_pod.IsFinished) await ReportAsync(ending: true, ct);
        return await RemoveAsync(ct);
    }

    private async Task AskToEndAsync(CancellationToken ct)
    {
        // A pod that was force-deleted has no grace left to honour; a second is what the kubelet gives it.
        var grace = _gone ? TimeSpan.FromSeconds(1) : Grace(_pod.Number("metadata", "deletionGracePeriodSeconds"));
        var by = _node.Clock.GetUtcNow() + grace;
        if (_stopBy is null || by < _stopBy) _stopBy = by;   // a later deletion may only shorten it
        var mainRuns = _instances.Values.Any(i => i.Container.Kind == ContainerKind.Main);
        foreach (var instance in _instances.Values.Where(i => i.Container.Kind != ContainerKind.Sidecar || !mainRuns).ToList())
        {
            var first = instance.StopBy is null;
            instance.Stop(_stopBy.Value - _node.Clock.GetUtcNow());
            if (first) await SayAsync("Normal", "Killing", $"Stopping container {instance.Name}", instance.Name, ct);
        }
    }

    private async Task TryReportEndingAsync(CancellationToken ct)
    {
        try
        {
            await ReportAsync(ending: true, ct);
        }
        catch (NodeCutException)
        {
            // It is said when the pod is gone, if the way is open by then.
        }
    }

    private async Task<bool> RemoveAsync(CancellationToken ct)
    {
        var options = new JsonObject { ["gracePeriodSeconds"] = 0, ["preconditions"] = new JsonObject { ["uid"] = Uid } };
        try
        {
            await _node.Link.TryAsync(api => api.DeleteAsync(Kinds.Pods, _pod.Namespace, _pod.Name, options, _node.Link.Caller, ct));
            return true;
        }
        catch (ApiServer.ApiException e) when (e.Code == 409)
        {
            return true;   // another pod has the name now: this one is gone
        }
    }
}
