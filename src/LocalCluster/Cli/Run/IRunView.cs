namespace Opt.LocalCluster.Cli.Run;

/// <summary>Shows a run while it goes on.</summary>
internal interface IRunView
{
    void Say(string message);

    void Show(JobView view);
}
