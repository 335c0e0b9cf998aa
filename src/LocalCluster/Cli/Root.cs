using System.CommandLine;
using Opt.LocalCluster.Cli.Run;

namespace Opt.LocalCluster.Cli;

/// <summary>The whole command line. <c>up</c> serves a cluster until stopped; <c>run</c> does and follows one job; <c>node</c> makes machines fail.</summary>
internal static class Root
{
    public static RootCommand Create() => new("A Kubernetes control plane for one machine; its pods are processes.") { UpCommand.Create(), RunCommand.Create(), NodeCommand.Create() };
}
