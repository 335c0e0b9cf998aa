using Opt.Api.Protocol;
using Opt.Operator.Agents;

namespace Opt.Scenarios.World;

/// <summary>One client to the agents of several jobs, which have a checkpoint store each.</summary>
internal sealed class AgentsOfJobs(Func<string, ScriptedAgents> of) : IAgentClient
{
    public Task<AgentStatus> GetStatusAsync(AgentTarget target, CancellationToken ct) => of(target.Pod).GetStatusAsync(target, ct);

    public Task<StepsPage> GetStepsAsync(AgentTarget target, long epoch, long after, TimeSpan wait, CancellationToken ct) => of(target.Pod).GetStepsAsync(target, epoch, after, wait, ct);

    public Task<ArchivePage> GetArchiveAsync(AgentTarget target, long epoch, int after, CancellationToken ct) => of(target.Pod).GetArchiveAsync(target, epoch, after, ct);

    public Task<LogbookPage> GetLogbookAsync(AgentTarget target, CancellationToken ct) => of(target.Pod).GetLogbookAsync(target, ct);

    public Task<Catalogue> GetCatalogueAsync(AgentTarget target, CancellationToken ct) => of(target.Pod).GetCatalogueAsync(target, ct);

    public Task PutPlanAsync(AgentTarget target, RunPlan plan, CancellationToken ct) => of(target.Pod).PutPlanAsync(target, plan, ct);

    public Task<Catalogue> PutFenceAsync(AgentTarget target, FenceRequest request, CancellationToken ct) => of(target.Pod).PutFenceAsync(target, request, ct);

    public Task PutLogbookAsync(AgentTarget target, LogbookRequest request, CancellationToken ct) => of(target.Pod).PutLogbookAsync(target, request, ct);

    public Task<Catalogue> PutCheckpointAsync(AgentTarget target, CheckpointMark mark, CancellationToken ct) => of(target.Pod).PutCheckpointAsync(target, mark, ct);

    public Task<StacksReport> GetStacksAsync(AgentTarget target, CancellationToken ct) => of(target.Pod).GetStacksAsync(target, ct);

    public Task PostDiagnosticsAsync(AgentTarget target, DiagnosticsRequest request, CancellationToken ct) => of(target.Pod).PostDiagnosticsAsync(target, request, ct);

    public Task PutControlAsync(AgentTarget target, ControlRequest request, CancellationToken ct) => of(target.Pod).PutControlAsync(target, request, ct);
}
