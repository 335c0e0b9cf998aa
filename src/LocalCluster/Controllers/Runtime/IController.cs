namespace Opt.LocalCluster.Controllers.Runtime;

/// <summary>One controller of the control plane; runs until it is cancelled.</summary>
internal interface IController
{
    Task RunAsync(CancellationToken ct);
}
