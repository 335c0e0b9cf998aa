using System.Collections.Concurrent;
using Opt.Api.Protocol;
using Opt.Operator.Agents;

namespace Opt.Scenarios.World;

/// <summary>The line between one operator process and the agents: some or all can be cut off from it while they train on.</summary>
internal sealed class OperatorAgents(ScriptedAgents agents, ProcessClock clock) : IAgentClient
{
    private readonly ConcurrentDictionary<string, byte> _cut = new();

    public bool IsCut { get; set; }

    public void Cut(string podUid) => _cut[podUid] = 0;

    public void Mend()
    {
        IsCut = false;
        _cut.Clear();
    }

    public Task<AgentStatus> GetStatusAsync(AgentTarget target, CancellationToken ct) => AskAsync(target, () => agents.GetStatusAsync(target, ct), ct);

    public Task<StepsPage> GetStepsAsync(AgentTarget target, long epoch, long after, TimeSpan wait, CancellationToken ct) => AskAsync(target, () => agents.GetStepsAsync(target, epoch, after, wait, ct), ct);

    public Task<ArchivePage> GetArchiveAsync(AgentTarget target, long epoch, int after, CancellationToken ct) => AskAsync(target, () => agents.GetArchiveAsync(target, epoch, after, ct), ct);

    public Task<LogbookPage> GetLogbookAsync(AgentTarget target, CancellationToken ct) => AskAsync(target, () => agents.GetLogbookAsync(target, ct), ct);

    public Task<Catalogue> GetCatalogueAsync(AgentTarget target, CancellationToken ct) => AskAsync(target, () => agents.GetCatalogueAsync(target, ct), ct);

    public Task PutPlanAsync(AgentTarget target, RunPlan plan, CancellationToken ct) => AskAsync(target, () => Done(agents.PutPlanAsync(target, plan, ct)), ct);

    public Task<Catalogue> PutFenceAsync(AgentTarget target, FenceRequest request, CancellationToken ct) => AskAsync(target, () => agents.PutFenceAsync(target, request, ct), ct);

    public Task PutLogbookAsync(AgentTarget target, LogbookRequest request, CancellationToken ct) => AskAsync(target, () => Done(agents.PutLogbookAsync(target, request, ct)), ct);

    public Task PutControlAsync(AgentTarget target, ControlRequest request, CancellationToken ct) => AskAsync(target, () => Done(agents.PutControlAsync(target, request, ct)), ct);

    public Task<Catalogue> PutCheckpointAsync(AgentTarget target, CheckpointMark mark, CancellationToken ct) => AskAsync(target, () => agents.PutCheckpointAsync(target, mark, ct), ct);

    public Task<StacksReport> GetStacksAsync(AgentTarget target, CancellationToken ct) => AskAsync(target, () => agents.GetStacksAsync(target, ct), ct);

    public Task PostDiagnosticsAsync(AgentTarget target, DiagnosticsRequest request, CancellationToken ct) => AskAsync(target, () => Done(agents.PostDiagnosticsAsync(target, request, ct)), ct);

    private async Task<T> AskAsync<T>(AgentTarget target, Func<Task<T>> ask, CancellationToken ct)
    {
        await clock.RunningAsync().WaitAsync(ct);
        ThrowIfCut(target);
        var answer = await ask();
        await clock.RunningAsync().WaitAsync(ct);
        ThrowIfCut(target);
        return answer;
    }

    private void ThrowIfCut(AgentTarget target)
    {
        if (IsCut || _cut.ContainsKey(target.PodUid)) throw new AgentException($"{target.Pod}: no route to host");
    }

    private static async Task<bool> Done(Task task)
    {
        await task;
        return true;
    }
}
