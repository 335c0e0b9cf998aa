using System.Globalization;
using Opt.Kubernetes;
using Opt.Planning;

namespace Opt.Operator.Cluster;

/// <summary>A pod as decisions see it.</summary>
internal static class PodReader
{
    private const string RevisionLabel = "controller-revision-hash";

    public static PodState Read(V1Pod pod) => new()
    {
        Name = pod.Metadata.Name!,
        Uid = pod.Metadata.Uid!,
        Ordinal = Ordinal(pod.Metadata.Name!),
        Node = pod.Spec?.NodeName is { Length: > 0 } node ? node : null,
        Ip = pod.Status?.PodIP is { Length: > 0 } ip ? ip : null,
        Phase = pod.Status?.Phase ?? "Pending",
        Revision = pod.Metadata.Labels?.GetValueOrDefault(RevisionLabel) ?? "",
        Terminating = pod.Metadata.DeletionTimestamp is not null,
        GraceEnds = pod.Metadata.DeletionTimestamp,   // the API server writes the time by which it should be gone
        Priority = pod.Spec?.Priority ?? 0,
        Trouble = Trouble(pod),
        Disruption = pod.Status?.Conditions?.FirstOrDefault(c => c is { Type: "DisruptionTarget", Status: "True" })?.Reason,
    };

    private static int Ordinal(string name)
    {
        var dash = name.LastIndexOf('-');
        return int.TryParse(name.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var ordinal) ? ordinal : int.MaxValue;
    }

    /// <summary>The cluster's own words, most telling first.</summary>
    private static string? Trouble(V1Pod pod)
    {
        var status = pod.Status;
        if (status?.Reason is not null || status?.Message is not null) return Join(status.Reason, status.Message);
        if (status?.Conditions?.FirstOrDefault(c => c is { Type: "PodScheduled", Status: "False" }) is { } unscheduled) return Join(unscheduled.Reason, unscheduled.Message);
        foreach (var container in status?.ContainerStatuses ?? [])
        {
            if (container.State?.Waiting is { Reason: not ("ContainerCreating" or "PodInitializing") } waiting) return Join($"container {container.Name} waits: {waiting.Reason}", waiting.Message);
            if ((container.State?.Terminated ?? container.LastState?.Terminated) is { } ended) return Join($"container {container.Name} ended with exit code {ended.ExitCode}", ended.Reason);
        }

        return null;
    }

    private static string Join(string? reason, string? message) => string.Join(": ", new[] { reason, message }.Where(t => !string.IsNullOrEmpty(t)));
}
