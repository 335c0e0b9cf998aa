namespace Opt.Operator.Agents;

/// <summary>Where one agent is asked. The address comes from the pod, never from DNS.</summary>
public sealed record AgentTarget(string Pod, string PodUid, string Ip, int Port, string Token)
{
    public Uri Url(string path) => new($"http://{(Ip.Contains(':', StringComparison.Ordinal) ? $"[{Ip}]" : Ip)}:{Port}{path}");
}
